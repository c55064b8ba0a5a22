from .polish import Polish as Polish
from .recovery import recover_network as recover_network
