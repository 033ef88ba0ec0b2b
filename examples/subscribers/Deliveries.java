import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * A subscriber of {@code deliveries.*}: each message that is on its way, as a line of JSON.
 *
 * <p>Nothing of Tidings is used: it reads by the Avro files that are its public contract ({@code schemas/avro}, with those
 * of every release in {@code schemas/avro/released}), and needs org.apache.kafka:kafka-clients and org.apache.avro:avro.
 *
 * <p>Each record comes at least once: one whose delivery id you have had is the same message again.
 */
public final class Deliveries {
    private final Path schemas;
    private final String prefix;
    private final Map<String, BinaryMessageDecoder<GenericRecord>> decoders = new HashMap<>();

    private Deliveries(Path schemas, String prefix) {
        this.schemas = schemas;
        this.prefix = prefix;
    }

    /** Arguments: the brokers, the folder schemas/avro, your consumer group, and the setting topics.prefix. */
    public static void main(String[] arguments) throws IOException {
        String prefix = arguments.length > 3 ? arguments[3] : "";
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("group.id", arguments[2]);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("isolation.level", "read_committed");
        settings.put("metadata.max.age.ms", "10000"); // a new channel's topic is found
        Deliveries subscriber = new Deliveries(Path.of(arguments[1]), prefix);
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Thread main = Thread.currentThread();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                consumer.wakeup();
                join(main);
            }));
            consumer.subscribe(Pattern.compile(Pattern.quote(prefix + "deliveries.") + ".*"));
            subscriber.follow(consumer);
        }
    }

    private void follow(KafkaConsumer<byte[], byte[]> consumer) throws IOException {
        try {
            while (true) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(200))) {
                    String topic = record.topic().substring(prefix.length());
                    handle(topic.substring("deliveries.".length()), decoder(topic).decode(record.value()));
                }
                consumer.commitSync(); // once it was handled
            }
        } catch (WakeupException stopped) {
            consumer.commitSync(); // SIGTERM, or Ctrl-C
        }
    }

    /** Your own work: here a line of JSON. */
    private static void handle(String channel, GenericRecord delivery) {
        System.out.println("{\"channel\": \"" + channel + "\", \"delivery\": " + delivery + "}");
    }

    /**
     * A decoder that resolves whatever a release wrote against the schema that you were built with: fields that came later
     * are left out, fields that are newer than the record have their default, and a symbol that you do not know is unknown.
     */
    private BinaryMessageDecoder<GenericRecord> decoder(String topic) throws IOException {
        BinaryMessageDecoder<GenericRecord> found = decoders.get(topic);
        if (found == null) {
            Schema own = schema(schemas.resolve(topic + ".avsc"));
            found = new BinaryMessageDecoder<>(GenericData.get(), own);
            try (DirectoryStream<Path> files = Files.newDirectoryStream(schemas.resolve("released"), topic + ".*.avsc")) {
                for (Path file : files) {
                    found.addSchema(schema(file));
                }
            }
            decoders.put(topic, found);
        }
        return found;
    }

    private static Schema schema(Path file) throws IOException {
        return new Schema.Parser().parse(Files.readString(file));
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
