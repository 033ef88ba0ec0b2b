"""All that crosses a boundary: records, closed lists, Avro files, the codec and the errors."""
