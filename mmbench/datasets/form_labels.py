"""How a class says that it is a form in which concepts are shown, and not a concept: ``form: photo``."""

FORM = "form: "
