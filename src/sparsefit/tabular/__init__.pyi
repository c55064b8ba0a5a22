from .fit import Fitted as Fitted
from .fit import fit_rows as fit_rows
from .fit import fit_table as fit_table
from .predict import Prediction as Prediction
from .predict import Predictions as Predictions
from .predict import predict_table as predict_table
from .rows import split_rows as split_rows
