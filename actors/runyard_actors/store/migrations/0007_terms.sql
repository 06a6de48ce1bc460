-- What a run says of when it may start and of when it is tried again, as a JSON object; NULL for most.
ALTER TABLE runs ADD COLUMN terms TEXT;
