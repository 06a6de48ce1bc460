-- Which runs were removed lately, by the number of the removal: readers that hold an index of all runs follow it.
CREATE TABLE forgotten (
    number INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (number, seq)
) WITHOUT ROWID;

INSERT INTO meta (key, value) VALUES ('forgotten', 0);
