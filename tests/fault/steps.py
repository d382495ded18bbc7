"""The words of a fault scenario (README.md lists them): every method do_WORD of these classes is one."""
from customers import CustomerSteps
from folders import FolderSteps
from links import LinkSteps
from mixtures import MixtureSteps
from processes import ProcessSteps
from trial import Trial


class Steps(Trial, ProcessSteps, LinkSteps, FolderSteps, CustomerSteps, MixtureSteps):
    pass
