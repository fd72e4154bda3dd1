import com.amazon.randomcutforest.RandomCutForest;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Scores, then learns, one point at a time, on one thread.
 *
 * Standard input: one point a line, numbers separated by commas. Standard output: one score a line, then the line
 * "nanoseconds N": processor time of score and learn together. Arguments: trees, samples a tree, seed.
 */
public final class Forest {
    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII), 1 << 20);
        List<double[]> points = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] parts = line.split(",");
            double[] point = new double[parts.length];
            for (int i = 0; i < parts.length; i++) {
                point[i] = Double.parseDouble(parts[i]);
            }
            points.add(point);
        }
        RandomCutForest forest = RandomCutForest.builder()
                .dimensions(points.get(0).length)
                .numberOfTrees(Integer.parseInt(arguments[0]))
                .sampleSize(Integer.parseInt(arguments[1]))
                .randomSeed(Long.parseLong(arguments[2]))
                .parallelExecutionEnabled(false)
                .build();
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        double[] scores = new double[points.size()];
        long began = clock.getCurrentThreadCpuTime();
        for (int i = 0; i < scores.length; i++) {
            scores[i] = forest.getAnomalyScore(points.get(i));
            forest.update(points.get(i));
        }
        long spent = clock.getCurrentThreadCpuTime() - began;
        BufferedWriter out = new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.US_ASCII), 1 << 20);
        for (double score : scores) {
            out.write(Double.toString(score));
            out.write('\n');
        }
        out.write("nanoseconds " + spent + "\n");
        out.flush();
    }
}
