"""Tasks: one file is one task, with its data, its split and its metric.

A file here that defines a subclass of `Task` with a ``name`` is a choice of ``--task``; nothing
else is to be edited.
"""

from sparsefit.tasks._base import Task, find_task, list_tasks

__all__ = ["Task", "find_task", "list_tasks"]
