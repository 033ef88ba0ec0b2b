import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.ArrayList;
import java.util.List;

/** The matching of the benchmark in Drools alone, over events that are in memory. */
public final class DroolsPeer {
    private static long fired = 0;

    public static void main(String[] args) throws Exception {
        JsonNode input = new ObjectMapper().readTree(new File(args[0]));
        List<Order> orders = new ArrayList<>();
        for (JsonNode one : input.get("events")) orders.add(order(one));
        long began = System.nanoTime();
        DroolsRules rules = new DroolsRules(input.get("rules"), input.get("now").asLong(), rule -> fired++);
        rules.match(orders.get(0));
        double build = (System.nanoTime() - began) / 1e9;
        long matches = 0;
        double best = Double.MAX_VALUE;
        for (int round = 0; round < 10; round++) {
            fired = 0;
            long start = System.nanoTime();
            for (Order order : orders) rules.match(order);
            best = Math.min(best, (System.nanoTime() - start) / 1e3 / orders.size());
            matches = fired;
        }
        System.gc();
        long used = Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
        System.out.printf(
            "{\"build_s\": %.2f, \"match_us\": %.2f, \"matches\": %d, \"heap_mb\": %d}%n", build, best, matches, used >> 20);
    }

    private static Order order(JsonNode one) {
        Order order = new Order();
        order.shop = one.get("shop").asText();
        order.country = one.get("country").asText();
        order.tier = one.get("tier").asText();
        order.email = one.get("email").asText();
        order.channel = one.get("channel").asText();
        order.amount = one.get("amount").asLong();
        order.joined = one.get("joined").asLong();
        one.get("skus").forEach(sku -> order.skus.add(sku.asText()));
        return order;
    }
}
