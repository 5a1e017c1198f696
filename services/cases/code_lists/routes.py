"""`/v1/code-lists`: what may stand where a code is asked for; anybody may read it."""

import zlib

from fastapi import Response

from chassis.concurrency import set_etag
from chassis.errors import NOT_FOUND, Problem
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
    set_etag(response, zlib.crc32(str([each.version for each in lists]).encode()))
    return Page(items=lists, next=None)


@router.get("/{list_id}")
@public
async def read_code_list(list_id: Slug, response: Response) -> CodeListOut:
    """One list."""
    found = code_lists().get(list_id)
    if found is None:
        raise Problem(NOT_FOUND)
    set_etag(response, found.version)
    return found
