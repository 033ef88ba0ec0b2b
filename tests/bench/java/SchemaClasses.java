import java.io.File;
import org.apache.avro.Schema;
import org.apache.avro.compiler.specific.SpecificCompiler;
import org.apache.avro.generic.GenericData.StringType;

/** Classes of the product's own Avro schemas, as its build would make them: a folder, then files of schemas. */
public final class SchemaClasses {
    public static void main(String[] args) throws Exception {
        for (int n = 1; n < args.length; n++) {
            File file = new File(args[n]);
            SpecificCompiler compiler = new SpecificCompiler(new Schema.Parser().parse(file));
            compiler.setStringType(StringType.String);
            compiler.compileToDestination(null, new File(args[0]));
        }
    }
}
