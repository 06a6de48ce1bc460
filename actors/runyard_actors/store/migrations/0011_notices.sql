-- Whom a batch wants told of its end, as a JSON object; NULL: nobody beside those of the settings.
ALTER TABLE batches ADD COLUMN telling TEXT;
-- Why somebody could not be told of the end, in words for a person.
ALTER TABLE batches ADD COLUMN notice TEXT;
ALTER TABLE runs ADD COLUMN notice TEXT;
