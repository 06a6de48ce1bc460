-- Where a request came from that was not asked for in numbers, in words for a person.
ALTER TABLE run_specs ADD COLUMN request_note TEXT;
