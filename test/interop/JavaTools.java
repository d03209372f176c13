import java.io.ByteArrayInputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Scanner;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after another in one process, as they are but for their end. Reads from standard input
 * of each tool a line with its class, its words and, after a tab, what it is to read; prints what it prints, and then a line
 * with how it ended.
 */
public class JavaTools {
  static class Ended extends Error {}

  static final PrintStream out = System.out;
  static Integer status;

  public static void main(String[] args) throws Exception {
    Exit.Procedure end = (code, message) -> {
      if (message != null) System.out.println(message);
      if (status == null) status = code;
      // some tools catch even this, and print it
      System.setOut(new PrintStream(OutputStream.nullOutputStream()));
      System.setErr(System.out);
      throw new Ended();
    };
    Exit.setExitProcedure(end);
    Exit.setHaltProcedure(end);
    Scanner lines = new Scanner(System.in, StandardCharsets.UTF_8);
    while (lines.hasNextLine()) {
      String[] parts = lines.nextLine().split("\t", 2);
      String[] words = parts[0].split(" ");
      String input = parts.length == 1 ? "" : parts[1].replace('\t', '\n') + "\n";
      System.setIn(new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8)));
      String[] parameters = java.util.Arrays.copyOfRange(words, 1, words.length);
      status = null;
      System.setOut(out);
      System.setErr(out);
      try {
        Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) parameters);
      } catch (java.lang.reflect.InvocationTargetException e) {
        if (!(e.getCause() instanceof Ended)) throw e;
      }
      out.println("\nended: " + (status == null ? 0 : status));
      out.flush();
    }
    Runtime.getRuntime().halt(0);
  }
}
