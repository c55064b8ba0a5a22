from .fit import Fitted as Fitted
from .fit import fit_table as fit_table
from .predict import Prediction as Prediction
from .predict import predict_table as predict_table
