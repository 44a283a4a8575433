"""dlt's own state and schemas, kept in the store so that they outlive folders and machines."""

from __future__ import annotations

from abc import abstractmethod
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from dlt.common.configuration.container import Container
from dlt.common.destination.client import StateInfo, StorageSchemaInfo, WithStateSync
from dlt.common.pipeline import PipelineContext
from dlt.common.utils import without_none

from dlt_bunce.destination.folder.folder_owner import take_folder
from dlt_bunce.destination.settings.configuration import BunceConfiguration
from dlt_bunce.store import dlt_state
from dlt_bunce.store.database import Database

if TYPE_CHECKING:
    from dlt_bunce.destination.client import BunceClient


class StoredState(WithStateSync):
    """State that dlt asks for when it restores a pipeline."""

    config: BunceConfiguration

    @abstractmethod
    def database(self) -> Database:
        """Return a connection to the store for the calling thread."""

    def get_stored_state(self, pipeline_name: str) -> StateInfo | None:
        """Return the state of the last completed load into this account.

        dlt calls this before it extracts. Raises ConfigurationError if the working folder has a
        cursor that this ledger does not know, or pending rows of another account.
        """
        context = Container()[PipelineContext]
        if context.is_active():
            take_folder(cast("BunceClient", self), context.pipeline())
        if not self.database().exists():
            return None
        with self.database() as db:
            row = dlt_state.latest_state(db, pipeline_name, self.config.account)
        if row is None:
            return None
        return StateInfo(
            version=row["version"],
            engine_version=row["engine_version"],
            pipeline_name=row["pipeline_name"],
            state=row["state"],
            created_at=datetime.fromisoformat(row["created_at"]),
            version_hash=row["version_hash"],
            _dlt_load_id=row["load_id"],
        )

    def get_stored_schema(self, schema_name: str | None = None) -> StorageSchemaInfo | None:
        """Return the newest schema of that name, or the newest of all."""
        return self._stored_schema(schema_name=schema_name)

    def get_stored_schema_by_hash(self, version_hash: str) -> StorageSchemaInfo | None:  # type: ignore[override]
        """Return the schema with that hash."""
        return self._stored_schema(version_hash=version_hash)

    def _stored_schema(self, **by: str | None) -> StorageSchemaInfo | None:
        if not self.database().exists():
            return None
        with self.database() as db:
            row: dict[str, Any] | None = dlt_state.latest_schema(db, **without_none(by))
        if row is None:
            return None
        return StorageSchemaInfo(
            row["version_hash"],
            row["schema_name"],
            row["version"],
            row["engine_version"],
            datetime.fromisoformat(row["inserted_at"]),
            row["schema_json"],
        )
