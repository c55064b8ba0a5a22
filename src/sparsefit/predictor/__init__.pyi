from .columns import PARTS as PARTS
from .columns import Column as Column
from .columns import Written as Written
from .predictor import MISSING as MISSING
from .predictor import Predictor as Predictor
