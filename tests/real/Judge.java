// What Java's Avro says of pairs of schemas: one pair a line, writer and reader with a tab between; one word a line back.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;

public final class Judge {
    public static void main(String[] arguments) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            System.out.println(verdict(line.split("\t", -1)));
        }
    }

    private static String verdict(String[] pair) {
        Schema writer;
        Schema reader;
        try {
            writer = new Schema.Parser().parse(pair[0]);
            reader = new Schema.Parser().parse(pair[1]);
        } catch (RuntimeException refused) {
            return "refused";
        }
        try {
            var found = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer);
            return found.getType() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE ? "reads" : "differs";
        } catch (RuntimeException thrown) {
            return "throws";
        }
    }
}
