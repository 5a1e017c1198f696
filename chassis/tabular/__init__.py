"""Files as people have them, read once for every service: tables as a spreadsheet saves them (CSV
in any of its forms, XLSX) and JSON, a record a line.

`tables` gives rows of text by declared columns, `values` reads what a cell says, `records` reads
JSON, `templates` makes the file that people fill in. What a column is called and where it goes is
declared by whoever owns the body.
"""
