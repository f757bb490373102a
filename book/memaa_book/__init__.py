"""What makes a book of the notebooks: runs, guard, editions, slides, PDF, published tree."""
