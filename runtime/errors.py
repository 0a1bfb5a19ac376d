"""Every error Kithnet raises on purpose. The message says what happened; the hint says what to do next.

KithnetError
├── InputError                 something a person gave us is wrong (exit status 2)
│   ├── RecordError            a row or line of an imported file, with its number
│   ├── UnknownPerson          no such person in the world
│   ├── IsolatedPerson         the person has no tie to work with
│   ├── UnknownWorld           no such world, or the name is taken
│   ├── UnknownModel           no such model on this machine
│   ├── UnknownRun             no such run
│   ├── ConfigError            a setting that is unknown or out of range
│   └── ModelFileError         a model file that is corrupt, truncated or not what its checksum says
│       └── StoreError         an expert store that is damaged, of another version, or of another model
├── ModelError                 a model call that did not give a usable reply (exit status 1)
│   ├── ContextOverflow        the prompt does not fit the context
│   ├── ModelUnavailable       refused, timed out, 429 or 5xx after the retries, or the engine died
│   │   └── ModelBusy          the queue of the local model is full
│   ├── ReplyInvalid           the reply does not match the schema, or was cut off inside it
│   └── LimitExceeded          a limit on calls, tokens or seconds was reached
├── StorageError               the disk is full, the home is unwritable, a database is damaged (exit status 1)
│   └── WorldBusy              another process holds what we need
├── SetupError                 this machine lacks something: a compiler, a matching binding (exit status 1)
└── LedgerError                a transition the InfoNav ledger does not allow (a defect, exit status 1)
"""


class KithnetError(Exception):
    """Root of the tree. `hint` is one sentence or command that helps; it may be empty."""

    exit_status = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(KithnetError):
    exit_status = 2


class RecordError(InputError):
    """A row of an imported file. `row` counts data rows from 1; 0 stands for the header or the whole file."""

    def __init__(self, message: str, hint: str = "", *, row: int = 0) -> None:
        super().__init__(f"row {row}: {message}" if row else message, hint)
        self.row = row


class UnknownPerson(InputError):
    pass


class IsolatedPerson(InputError):
    pass


class UnknownWorld(InputError):
    pass


class UnknownModel(InputError):
    pass


class UnknownRun(InputError):
    pass


class ConfigError(InputError):
    pass


class ModelFileError(InputError):
    pass


class StoreError(ModelFileError):
    pass


class ModelError(KithnetError):
    pass


class ContextOverflow(ModelError):
    pass


class ModelUnavailable(ModelError):
    pass


class ModelBusy(ModelUnavailable):
    pass


class ReplyInvalid(ModelError):
    pass


class LimitExceeded(ModelError):
    pass


class StorageError(KithnetError):
    pass


class WorldBusy(StorageError):
    pass


class SetupError(KithnetError):
    pass


class LedgerError(KithnetError):
    pass
