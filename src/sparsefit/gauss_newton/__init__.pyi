from .objective import Objective as Objective
from .polish import Polish as Polish
from .recovery import Effort as Effort
from .recovery import recover_network as recover_network
from .recovery import warm_up as warm_up
