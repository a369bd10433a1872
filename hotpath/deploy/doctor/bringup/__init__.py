"""Check an untried board or GPU step by step, and write down the results.

__init__    runs the steps in order and writes the evidence
steps       the steps
reference   the maps that an engine must give
tracking    targets of the film: their boxes, times, and one that is lost
"""

import json
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from hotpath.base.errors import HotpathError
from hotpath.boards import snapshot
from hotpath.deploy.doctor.bringup import steps

FORMAT = 3
Evidence = Dict[str, Any]  # as the JSON file has it
Step = Callable[[steps.State], str]


def run(
    path: str,
    network: Optional[str],
    engines: str,
    engine: Optional[str] = None,
    say: Callable[[str], None] = print,
) -> Evidence:
    """Run all steps and write the evidence.

    A step that fails does not end the run: the steps that need it are skipped.

    Args:
        path: of the evidence, a JSON file; an older one is replaced.
        network: name or TOML to build and track; None for the board's network and its witness.
        engines: folder of bundles; the bundle is built there when it is missing.
        engine: that runs the network; None for the board's own.
        say: function of one sentence.

    Returns:
        The evidence.

    Raises:
        BadSnapshot: the evidence can't be written.
    """
    state = steps.State(network, engines, say, engine)
    evidence: Evidence = {"format": FORMAT, "steps": [], "complete": False}
    row = "{{:<8}} {{:<{}}} {{}}".format(max(len(step.__name__) for step in steps.STEPS))
    for step, network in _plan(state.networks):
        outcome = _run_step(step, state, network)
        evidence["steps"].append(outcome)
        say(row.format(outcome["result"], outcome["step"], outcome["text"]))
        if outcome["advice"]:
            say(row.format("", "", outcome["advice"]))
        evidence.update(snapshot.describe(), networks=state.networks, times=state.times)
        snapshot.replace(path, _text(evidence))
    state.close()
    evidence.update(complete=True)
    snapshot.replace(path, _text(evidence))
    return evidence


def _plan(networks: Sequence[str]) -> Iterator[Tuple[Step, str]]:
    """All steps in order; those of a network once for each, together with its name."""
    own = [step for step in steps.STEPS if step in steps.OF_A_NETWORK]
    for step in steps.STEPS:
        if step not in own:
            yield step, ""
        elif step is own[0]:
            yield from ((each, network) for network in networks for each in own)


def _text(evidence: Evidence) -> str:
    return snapshot.scrub(json.dumps(evidence, indent=1, sort_keys=True)) + "\n"


def _run_step(step: Step, state: steps.State, network: str) -> Evidence:
    """Run one step: dict of step, result ("passed", "failed", "skipped"), text, advice, seconds."""
    began = time.monotonic()
    state.network = network or state.network
    result = "passed"
    advice = ""
    try:
        text = step(state)
    except steps.Skip as reason:
        result, text = "skipped", str(reason)
    except steps.StepFailed as error:
        result, text, advice = "failed", str(error), error.advice
    except HotpathError as error:  # its sentence says what to do
        result, text = "failed", str(error)
    except Exception as error:  # of a library that nobody has tried here; the report needs it
        result, text = "failed", f"{type(error).__name__}: {error}"
        advice = "send the evidence in: this is an error of the program"
    text = f"{network}: {text}" if network else text
    seconds = round(time.monotonic() - began, 3)
    values = (step.__name__, result, text, advice, seconds)
    return dict(zip(("step", "result", "text", "advice", "seconds"), values))


def failures(evidence: Evidence) -> List[str]:
    """Return the names of the steps that failed."""
    steps: List[Evidence] = evidence["steps"]
    return [str(step["step"]) for step in steps if step["result"] == "failed"]


def conclusion(evidence: Evidence, path: Optional[str]) -> str:
    """Return the last line: what to do now."""
    failed = failures(evidence)
    if failed:
        return "failed: {}; wrote {}; read it and attach it to an issue".format(
            ", ".join(failed), path
        )
    return f"all steps passed; wrote {path}; read it and attach it to an issue"
