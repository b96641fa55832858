// The job in Flink, on a cluster within this process: state on the heap, objects reused, every
// event written, a checkpoint each 30 s.
//
//   FlinkPeer BROKERS TOPIC PARTITIONS EVENTS REDIS-PORT SCHEMA
import java.nio.file.Files;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;

public final class FlinkPeer {
    /** User, time, item, price: a tuple has the fastest of Flink's serializers. */
    static final class Reader
            implements KafkaRecordDeserializationSchema<Tuple4<String, Long, String, Double>> {
        private transient Click click;

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record,
                Collector<Tuple4<String, Long, String, Double>> out) {
            if (click == null)
                click = new Click();
            click.read(record.value());
            out.collect(Tuple4.of(click.user, click.timeMs, click.item, click.price));
        }

        @Override
        public TypeInformation<Tuple4<String, Long, String, Double>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.LONG, Types.STRING, Types.DOUBLE);
        }
    }

    static final class Sessions
            extends KeyedProcessFunction<String, Tuple4<String, Long, String, Double>, Void> {
        private final int port;
        private transient ValueState<Visit> state;
        private transient Rows rows;

        Sessions(int port) {
            this.port = port;
        }

        @Override
        public void open(OpenContext context) {
            state = getRuntimeContext().getState(new ValueStateDescriptor<>("visit", Visit.class));
            rows = new Rows(port);
        }

        @Override
        public void processElement(Tuple4<String, Long, String, Double> click, Context context,
                Collector<Void> out) throws Exception {
            Visit visit = state.value();
            if (visit == null)
                visit = new Visit();
            visit.add(click.f1, click.f3, click.f2);
            state.update(visit);
            rows.write(click.f0, visit);
        }

        @Override
        public void close() {
            if (rows != null)
                rows.close();
        }
    }

    public static void main(String[] args) throws Exception {
        Configuration settings = new Configuration();
        settings.setString("pipeline.object-reuse", "true");
        settings.setString("state.backend.type", "hashmap");
        settings.setString("execution.checkpointing.interval", "30s");
        settings.setString("execution.checkpointing.storage", "filesystem");
        settings.setString("execution.checkpointing.dir",
                Files.createTempDirectory("peer").toUri().toString());
        StreamExecutionEnvironment flink = StreamExecutionEnvironment.createLocalEnvironment(
                Integer.parseInt(args[2]), settings);
        KafkaSource<Tuple4<String, Long, String, Double>> clicks =
                KafkaSource.<Tuple4<String, Long, String, Double>>builder()
                        .setBootstrapServers(args[0]).setTopics(args[1])
                        .setStartingOffsets(OffsetsInitializer.earliest())
                        .setBounded(OffsetsInitializer.latest())
                        .setDeserializer(new Reader()).build();
        flink.fromSource(clicks, WatermarkStrategy.noWatermarks(), "clicks")
                .keyBy(click -> click.f0, Types.STRING)
                .process(new Sessions(Integer.parseInt(args[4])), Types.VOID);
        flink.execute("peer");
    }
}
