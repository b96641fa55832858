"""A Redis behind one name that survives what is done to it: stops, losses, a fail-over."""
import os
import shutil

import redis as redis_client
import services
from harness import wait_for


class RedisFront:
    """`path` is a socket's name that leads to the server of the moment."""

    def __init__(self, directory):
        self.directory = directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "front.sock"
        self.servers = []
        self.server = self.another()
        self.lead_to(self.server)

    def another(self):
        server = services.Redis(self.directory / str(len(self.servers)),
                                "--repl-diskless-sync-delay", "0")
        self.servers.append(server)
        return server.start()

    def lead_to(self, server):
        beside = self.directory / "beside"
        os.symlink(server.socket, beside)
        os.replace(beside, self.path)
        self.server = server

    def client(self, server=None, **options):
        socket = server.socket if server else self.path
        return redis_client.Redis(unix_socket_path=str(socket), socket_timeout=10, **options)

    def stop(self):
        """An orderly stop that keeps all data."""
        peer = self.client(self.server, retry=None)
        try:
            peer.shutdown(save=True)
        except redis_client.RedisError:
            pass
        self.server.process.wait(10)

    def start(self):
        self.server.start()

    def snapshot(self):
        """What is there now goes to a file; `restore` brings it back."""
        self.client(self.server).save()
        dump = self.server.directory / "dump.rdb"
        shutil.copy(dump, dump.with_name("old.rdb"))

    def restore(self):
        self.server.kill()
        dump = self.server.directory / "dump.rdb"
        shutil.copy(dump.with_name("old.rdb"), dump)
        self.server.start()

    def replicate(self):
        """A replica that has all there is, and from now on hears of nothing more."""
        replica = self.another()
        peer = self.client(replica)
        peer.replicaof("127.0.0.1", self.server.port)
        wait_for(lambda: peer.info("replication").get("master_link_status") == "up" and
                 not peer.info("replication").get("master_sync_in_progress"), 20, "a replica")
        peer.replicaof("NO", "ONE")
        return replica

    def promote(self, replica):
        self.server.kill()
        self.lead_to(replica)

    def close(self):
        for server in self.servers:
            server.kill()
