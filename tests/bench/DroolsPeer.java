import static org.drools.model.DSL.declarationOf;
import static org.drools.model.DSL.on;
import static org.drools.model.PatternDSL.alphaIndexedBy;
import static org.drools.model.PatternDSL.pattern;
import static org.drools.model.PatternDSL.rule;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.drools.model.Index.ConstraintType;
import org.drools.model.PatternDSL.PatternDef;
import org.drools.model.Variable;
import org.drools.model.impl.ModelImpl;
import org.drools.modelcompiler.KieBaseBuilder;
import org.kie.api.KieBase;
import org.kie.api.runtime.KieSession;
import org.kie.api.runtime.rule.FactHandle;

/** The rules of the benchmark in Drools' executable model, with an index wherever it takes one. */
public final class DroolsPeer {
    public static final class Order {
        String shop, country, tier, email, channel;
        long amount, joined;
        List<String> skus = new ArrayList<>();

        public String getShop() { return shop; }
        public String getTier() { return tier; }
        public String getChannel() { return channel; }
        public Long getAmount() { return amount; }
    }

    private static long fired = 0;

    public static void main(String[] args) throws Exception {
        JsonNode input = new ObjectMapper().readTree(new File(args[0]));
        long now = input.get("now").asLong();
        long began = System.nanoTime();
        ModelImpl model = new ModelImpl();
        int number = 0;
        for (JsonNode one : input.get("rules")) model.addRule(made("rule-" + number++, one, now));
        KieBase base = KieBaseBuilder.createKieBaseFromModel(model);
        KieSession session = base.newKieSession();
        List<Order> orders = new ArrayList<>();
        for (JsonNode one : input.get("events")) orders.add(order(one));
        run(session, orders.subList(0, 1));
        double build = (System.nanoTime() - began) / 1e9;
        long matches = 0;
        double best = Double.MAX_VALUE;
        for (int round = 0; round < 10; round++) {
            fired = 0;
            long start = System.nanoTime();
            run(session, orders);
            best = Math.min(best, (System.nanoTime() - start) / 1e3 / orders.size());
            matches = fired;
        }
        System.gc();
        long used = Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
        System.out.printf(
            "{\"build_s\": %.2f, \"match_us\": %.2f, \"matches\": %d, \"heap_mb\": %d}%n", build, best, matches, used >> 20);
    }

    private static void run(KieSession session, List<Order> orders) {
        for (Order order : orders) {
            FactHandle handle = session.insert(order);
            session.fireAllRules();
            session.delete(handle);
        }
    }

    private static org.drools.model.Rule made(String name, JsonNode one, long now) {
        Variable<Order> order = declarationOf(Order.class);
        PatternDef<Order> p = pattern(order);
        String shop = one.get("shop").asText();
        p.expr("shop " + shop, o -> shop.equals(o.shop),
            alphaIndexedBy(String.class, ConstraintType.EQUAL, 0, o -> o.shop, shop));
        if (one.has("country")) {
            Set<String> countries = new TreeSet<>();
            one.get("country").forEach(country -> countries.add(country.asText()));
            p.expr("country " + countries, o -> countries.contains(o.country));
        }
        if (one.has("tier")) {
            String tier = one.get("tier").asText();
            p.expr("tier " + tier, o -> tier.equals(o.tier),
                alphaIndexedBy(String.class, ConstraintType.EQUAL, 1, o -> o.tier, tier));
        }
        if (one.has("channel")) {
            String channel = one.get("channel").asText();
            p.expr("channel " + channel, o -> channel.equals(o.channel),
                alphaIndexedBy(String.class, ConstraintType.EQUAL, 2, o -> o.channel, channel));
        }
        if (one.has("amount")) {
            long amount = one.get("amount").asLong();
            p.expr("amount " + amount, o -> o.amount >= amount,
                alphaIndexedBy(Long.class, ConstraintType.GREATER_OR_EQUAL, 3, o -> o.amount, amount));
        }
        if (one.has("item")) {
            String start = one.get("item").asText();
            p.expr("item " + start, o -> {
                for (String sku : o.skus) if (sku.startsWith(start)) return true;
                return false;
            });
        }
        if (one.has("joined_days")) {
            long since = now - one.get("joined_days").asLong() * 86_400_000L;
            p.expr("joined " + since, o -> o.joined >= since && o.joined <= now);
        }
        if (one.has("vip_tier")) {
            String tier = one.get("vip_tier").asText();
            long amount = one.get("vip_amount").asLong();
            p.expr("vip " + tier + amount, o -> tier.equals(o.tier) || o.amount >= amount);
        }
        if (one.has("not_mail")) {
            String end = one.get("not_mail").asText();
            p.expr("mail " + end, o -> !o.email.endsWith(end));
        }
        return rule(name).build(p, on(order).execute(o -> fired++));
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
