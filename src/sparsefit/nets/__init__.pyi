from .mlp import MLP as MLP
from .pruning import geometric_counts as geometric_counts
from .pruning import prune_to as prune_to
from .pruning import shrinking_counts as shrinking_counts
from .pruning_path import prune_and_train as prune_and_train
from .pruning_path import train_dense as train_dense
from .train import Trainer as Trainer
