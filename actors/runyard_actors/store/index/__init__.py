"""An index of a whole history in memory, as sets of bits: any filter, any order, any place, in milliseconds."""
