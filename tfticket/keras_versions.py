"""Models of Keras 3, told from those of Keras 2. Does without both."""

from tfticket.errors import InputError


def check_no_keras_3(value: object, what: str) -> None:
    """See that a value is nothing of Keras 3."""
    kinds = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    if "keras" in kinds and "tf_keras" not in kinds:
        raise InputError(
            f"{what}: {type(value).__name__} is a Keras 3 object, as is all that tf.keras builds; tfticket takes "
            "models of Keras 2. Build it with `import tf_keras as keras`."
        )
