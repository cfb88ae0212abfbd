"""The desktop program comes here; it reads run folders and never imports TensorFlow."""
