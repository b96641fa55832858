"""A restart with much state, and what checkpoints cost while records come in."""
import threading
import time

from stage import Daemon, Topic, Wrong, memory_mb

LOOK_S = 0.01
CHECKPOINT_S = 5
BEHIND = 200_000        # records that came in while nobody was there
MB, GB = 1 << 20, 1 << 30


def until(daemon, began, condition):
    """Seconds until INFO fulfils the condition."""
    while True:
        state = daemon.info()
        if state and condition(state):
            return time.monotonic() - began
        if daemon.process.poll() is not None:
            raise Wrong(f"freshetd ended: {daemon.log_end()}")
        time.sleep(LOOK_S)


def is_synced(state):
    return not any("resync=1" in value for value in state.values())


def checkpoint_bytes(directory):
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def read_back(topic, daemon, keys, records):
    """One restart, of a daemon that was killed; `records` came in since."""
    began = time.monotonic()
    with daemon:
        loaded = until(daemon, began, lambda state: int(state["keys"]) >= keys)
        first = until(daemon, began, lambda state: int(state["redis_rows_written"]) > 0)
        state = daemon.settle(records)
        caught_up = time.monotonic() - began
        if int(state["keys"]) < keys or topic.records - int(state["consumed"]) < keys:
            raise Wrong(f"{state['consumed']} records were read again: state did not come back")
        found = {"loaded_s": loaded, "first_row_s": first, "caught_up_s": caught_up,
                 "behind": int(state["consumed"]), "rows": int(state["redis_rows_written"]),
                 "state_gb": int(state["state_bytes"]) / GB,
                 "peak_mb": memory_mb(daemon.process.pid, "VmHWM")}
        daemon.process.kill()
    return {**found, "loaded_s_per_gb": found["loaded_s"] / found["state_gb"]}


def keep_checkpointing(daemon, over):
    while not over.wait(CHECKPOINT_S):
        daemon.ask("CHECKPOINT")


def restart(stage, load, options):
    """The median of `pairs` restarts; then the steps of checkpoints under load."""
    topic = Topic(stage, load, load.name)
    stage.redis_cli("FLUSHALL")
    topic.grow(load.fill)
    daemon = Daemon(stage, topic, stage.directory / load.name)
    with daemon:
        keys = int(daemon.settle(topic.records)["keys"])
        until(daemon, 0, is_synced)     # else the next one would write every row again
        if daemon.ask("CHECKPOINT").strip() != "OK":
            raise Wrong("the checkpoint failed")
        daemon.process.kill()
    stored_gb = checkpoint_bytes(daemon.directory / "checkpoints") / GB
    topic.grow(BEHIND)
    runs = []
    for k in range(options.pairs):
        runs.append(read_back(topic, daemon, keys, BEHIND))
        options.say(f"{load.name} {k + 1}/{options.pairs}: {runs[-1]}")
    runs.sort(key=lambda found: found["loaded_s"])
    with daemon:
        daemon.settle(BEHIND)
        over = threading.Event()
        thread = threading.Thread(target=keep_checkpointing, args=(daemon, over))
        thread.start()
        topic.grow(load.events, load.rate)
        over.set()
        thread.join()
        state = daemon.settle(BEHIND + load.events)
        checked = daemon.verify()
    return {"restarts": runs, "restart": {**runs[len(runs) // 2], "checkpoint_gb": stored_gb},
            "keys": keys, "check": checked, "load_rate": load.rate,
            "steps": {f"{clock}_{share}": int(state[f"checkpoint_step_{name}{share}_us"])
                      for clock, name in (("cpu", ""), ("wall", "wall_"))
                      for share in ("p99", "p999")}}
