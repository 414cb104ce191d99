"""What is on disk: the journal, the chunked series, the schema, one Writer and one Reader."""
