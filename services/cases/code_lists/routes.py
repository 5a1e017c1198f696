"""`/v1/code-lists`: what may stand where a code is asked for; anybody may read it."""

import zlib

from fastapi import Response

from chassis.concurrency import set_etag
from chassis.errors import or_404
from chassis.pagination import Page
from chassis.routing import Router, public
from contracts.codes import Slug
from services.cases.code_lists.lists import CodeListOut, code_lists

router = Router(prefix="/v1/code-lists", tags=["code lists"])


@router.get("")
@public
async def read_code_lists(response: Response) -> Page[CodeListOut]:
    """Every list, in one page."""
    lists = list(code_lists().values())
    set_etag(response, zlib.crc32(str([code_list.version for code_list in lists]).encode()))
    return Page(items=lists, next=None)


@router.get("/{list_id}")
@public
async def read_code_list(list_id: Slug, response: Response) -> CodeListOut:
    """One list."""
    code_list = or_404(code_lists().get(list_id))
    set_etag(response, code_list.version)
    return code_list
