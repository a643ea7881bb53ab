// Runs JUnit 4 classes one after the other and prints one line per test: "passed NAME", "failed NAME", "skipped NAME".
import org.junit.runner.Description;
import org.junit.runner.JUnitCore;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;

public class RunTests extends RunListener {
    private String outcome;

    private static String name(Description test) {
        String[] parts = test.getClassName().split("\\.");
        return parts[parts.length - 1] + "." + (test.getMethodName() == null ? "(class)" : test.getMethodName());
    }

    @Override
    public void testStarted(Description test) {
        outcome = "passed";
    }

    @Override
    public void testFailure(Failure failure) {
        outcome = "failed";
        System.err.println(name(failure.getDescription()) + "\n" + failure.getTrace());
        if (failure.getDescription().getMethodName() == null)
            System.out.println("failed " + name(failure.getDescription()));
    }

    @Override
    public void testAssumptionFailure(Failure failure) {
        outcome = "skipped";
    }

    @Override
    public void testIgnored(Description test) {
        System.out.println("skipped " + name(test));
    }

    @Override
    public void testFinished(Description test) {
        System.out.println(outcome + " " + name(test));
    }

    public static void main(String[] classes) throws Exception {
        JUnitCore core = new JUnitCore();
        core.addListener(new RunTests());
        for (String each : classes)
            core.run(Class.forName(each));
        System.exit(0); // threads of connections that a test left open would keep us
    }
}
