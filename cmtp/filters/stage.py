"""The filter stage: writes what the screen stage recorded, so that a row is judged once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from cmtp.engine.stage import Stage, StageFolder
from cmtp.engine.task import Job, Result, Task, task
from cmtp.filters.book import open_book
from cmtp.filters.learned import load_model
from cmtp.filters.settings import FilterApplied, FilterSettings
from cmtp.partition import apply_recorded
from cmtp.settings import RecipeBase


class FilterStage(Stage[FilterApplied]):
    """Rejects the junk and malicious pairs that `ScreenStage` found."""

    name: ClassVar[str] = "filter"
    settings: ClassVar[type[FilterSettings]] = FilterSettings
    reads: ClassVar[tuple[str, ...]] = ("screen",)
    reports: ClassVar[tuple[str, ...]] = ("screen",)
    explained_by: ClassVar[str] = "filter.language, filter.thresholds or filter.disable"

    def check(self, recipe: RecipeBase) -> None:
        """Refuse a rule, threshold, list or model that does not exist.

        Raises:
            UsageError: names the setting and what there is.
        """
        book = open_book(recipe.of(FilterSettings))
        if book.model is not None:
            load_model(book.model)

    def resolve(self, recipe: RecipeBase, before: Mapping[str, StageFolder]) -> FilterApplied:
        """See Stage."""
        return FilterApplied.extend(recipe.of(FilterSettings), screened=before["screen"].judged)

    def steps(self, job: Job[FilterApplied], inputs: list[str]) -> Iterator[list[Task]]:
        """One step: a task per partition."""
        yield [task(apply_screen, job, f"filter-{index:05d}", index, part) for index, part in enumerate(inputs)]


def apply_screen(job: Job[FilterApplied], index: int, part: str) -> Result:
    """Write what one partition keeps and rejects."""
    rows = job.store.read_table(part)
    return apply_recorded(job, index, rows, judged=job.settings.screened, stage=FilterStage.name)
