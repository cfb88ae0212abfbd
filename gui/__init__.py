"""The desktop program; it reads run folders and never imports TensorFlow."""
