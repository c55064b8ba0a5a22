from .columns import Column as Column
from .predictor import Predictor as Predictor
