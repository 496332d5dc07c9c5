"""What one pytest run asks and finds out."""
