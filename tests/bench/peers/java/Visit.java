// The session of a user, as a straightforward job keeps it.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

public final class Visit {
    static final long GAP_MS = 30 * 60 * 1000;

    public long startMs;
    public long lastMs;
    public long events;
    public double value;
    public String item = "";

    public Visit add(long timeMs, double price, String newItem) {
        if (events == 0 || timeMs - lastMs > GAP_MS) {
            startMs = timeMs;
            events = 0;
            value = 0;
            item = "";
        }
        lastMs = timeMs;
        events++;
        if (!Double.isNaN(price))
            value += price;
        if (!newItem.isEmpty())
            item = newItem;
        return this;
    }

    public byte[] toBytes() {
        byte[] text = item.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(32 + text.length).putLong(startMs).putLong(lastMs)
                .putLong(events).putDouble(value).put(text).array();
    }

    public static Visit ofBytes(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        Visit visit = new Visit();
        visit.startMs = in.getLong();
        visit.lastMs = in.getLong();
        visit.events = in.getLong();
        visit.value = in.getDouble();
        visit.item = new String(bytes, 32, bytes.length - 32, StandardCharsets.UTF_8);
        return visit;
    }
}
