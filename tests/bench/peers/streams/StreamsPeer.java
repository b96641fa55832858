// The job in Kafka Streams: a table with hand-made sessions, cached, in memory, committed each 30 s.
// Its own session windows cost five times as much.
//
//   StreamsPeer BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA
import java.nio.file.Files;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;

public final class StreamsPeer {
    static final class ToRedis implements Processor<String, Visit, Void, Void> {
        private final int port;
        private Rows rows;

        ToRedis(int port) {
            this.port = port;
        }

        @Override
        public void init(ProcessorContext<Void, Void> context) {
            rows = new Rows(port);
        }

        @Override
        public void process(Record<String, Visit> changed) {
            rows.write(changed.key(), changed.value());
        }

        @Override
        public void close() {
            rows.close();
        }
    }

    static <T> Serde<T> serde(Serializer<T> to, Deserializer<T> from) {
        return Serdes.serdeFrom(to, from);
    }

    static Click click(byte[] datum) {
        Click click = new Click();
        click.read(datum);
        return click;
    }

    static Properties settings(String[] args) throws Exception {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, "peer-" + System.nanoTime());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 30_000);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 1L << 30);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("peer").toString());
        settings.put("auto.offset.reset", "earliest");
        return settings;
    }

    public static void main(String[] args) throws Exception {
        long events = Long.parseLong(args[3]);
        int port = Integer.parseInt(args[4]);
        AtomicLong seen = new AtomicLong();
        CountDownLatch ended = new CountDownLatch(1);
        StreamsBuilder builder = new StreamsBuilder();
        Serde<Click> clicks = serde((topic, click) -> null, (topic, datum) -> click(datum));
        Serde<Visit> visits = serde((topic, visit) -> visit == null ? null : visit.toBytes(),
                (topic, bytes) -> bytes == null ? null : Visit.ofBytes(bytes));
        builder.stream(args[1], Consumed.with(Serdes.String(), clicks))
                .groupByKey(Grouped.with(Serdes.String(), clicks))
                .aggregate(Visit::new, (user, click, visit) -> {
                    if (seen.incrementAndGet() == events)
                        ended.countDown();
                    return visit.add(click.timeMs, click.price, click.item);
                }, Materialized.<String, Visit>as(Stores.inMemoryKeyValueStore("visits"))
                        .withKeySerde(Serdes.String()).withValueSerde(visits)
                        .withCachingEnabled().withLoggingDisabled())
                .toStream().process(() -> new ToRedis(port));
        KafkaStreams streams = new KafkaStreams(builder.build(), settings(args));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            System.exit(1);
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        ended.await();
        streams.close();
    }
}
