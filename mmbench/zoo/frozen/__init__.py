"""What decides the weights of the zoo: networks, drawings, views, signals and the loop of training.

Every module here is hashed into the recipes that use it (``mmbench.zoo.fingerprint``). A change of what one does asks
for new trainings; a change of how it is written asks for ``mmbench zoo restamp``. Tools around the weights lie outside.
"""
