"""Sources: data of any size as batches of rows. They know no solver."""
