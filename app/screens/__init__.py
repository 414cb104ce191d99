"""The dashboard's pages, one thin function each."""
