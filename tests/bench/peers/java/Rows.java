// Rows go to Redis in pipelines of 500.
import java.util.HashMap;
import java.util.Map;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.Pipeline;

public final class Rows implements AutoCloseable {
    static final int PIPELINE = 500;

    private final Jedis redis;
    private Pipeline pipeline;
    private int waiting;

    public Rows(int port) {
        redis = new Jedis("127.0.0.1", port);
        pipeline = redis.pipelined();
    }

    public void write(String user, Visit visit) {
        Map<String, String> row = new HashMap<>(8);
        row.put("session_events", Long.toString(visit.events));
        row.put("session_value", Double.toString(visit.value));
        row.put("last_item", visit.item);
        row.put("session_start", Long.toString(visit.startMs));
        row.put("session_last", Long.toString(visit.lastMs));
        pipeline.hset("features:" + user, row);
        if (++waiting == PIPELINE)
            flush();
    }

    public void flush() {
        pipeline.sync();
        waiting = 0;
    }

    @Override
    public void close() {
        flush();
        redis.close();
    }
}
