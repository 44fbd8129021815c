using System.Reflection;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Contract;

/// <summary>What <c>docs/promises.md</c> says is shown by tests that there are, and these carry the numbers of what they show.</summary>
public sealed partial class PromiseTests
{
    private const int Promises = 64;
    private static readonly string s_document = CheckoutFile.Read("docs/promises.md");

    [Fact]
    public void EveryTestInTheDocumentExists() => Assert.Empty(NamesIn(s_document).Except(Tests().Select(NameOf)));

    [Fact]
    public void EveryPromiseHasARowWithATest()
    {
        var rows = Rows();
        Assert.Equal(Enumerable.Range(1, Promises).Select(number => $"P{number:00}"), rows.Select(row => row.Promise));
        Assert.All(rows, row => Assert.True(row.Tests.Count > 0, $"{row.Promise} names no test"));
    }

    /// <summary>A test that needs something special is good to have beside one that always runs; one that never runs shows nothing.</summary>
    [Fact]
    public void EveryRowHasATestThatRunsOnEveryMachineAndNoneThatRunsOnNone()
    {
        var tests = Tests().ToLookup(NameOf);
        Assert.Empty(NamesIn(s_document).Where(name => tests[name].Any(IsSkipped)).Select(name => $"{name} is skipped"));
        Assert.All(Rows(), row => Assert.True(row.Tests.Any(name => tests[name].Any(RunsEverywhere)), $"{row.Promise} has no test that runs everywhere"));
    }

    [Fact]
    public void ARowSaysWhereItsPromiseIsTried()
    {
        var judged = JudgedByChaos();
        Assert.NotEmpty(judged);
        Assert.Equal(Rows().Select(row => (row.Promise, judged.Contains(row.Promise) ? "test, chaos" : "test")), Rows().Select(row => (row.Promise, row.RunsIn)));
    }

    [Fact]
    public void WhatIsSkippedIsFound()
    {
        static MethodInfo Example(string name) => typeof(Examples).GetMethod(name)!;
        Assert.True(IsSkipped(Example(nameof(Examples.Never))) && !RunsEverywhere(Example(nameof(Examples.Never))));
        Assert.True(IsSkipped(Example(nameof(Examples.NeverWithAnything))) && !RunsEverywhere(Example(nameof(Examples.NeverWithAnything))));
        Assert.True(!IsSkipped(Example(nameof(Examples.Sometimes))) && !RunsEverywhere(Example(nameof(Examples.Sometimes))));
        Assert.True(!IsSkipped(Example(nameof(Examples.Always))) && RunsEverywhere(Example(nameof(Examples.Always))));
    }

    [Fact]
    public void TheRowsAndTheTraitsAgree()
    {
        var documented = Rows().SelectMany(row => row.Tests.Select(test => $"{row.Promise} {test}")).ToHashSet();
        var tagged = Tests().SelectMany(test => PromisesOf(test).Select(promise => $"{promise} {NameOf(test)}")).ToHashSet();
        Assert.Empty(documented.Except(tagged).Select(pair => $"{pair} has no trait"));
        Assert.Empty(tagged.Except(documented).Select(pair => $"{pair} is not in its row"));
    }

    // A row without a number goes on with the tests of the one above it.
    private static List<(string Promise, List<string> Tests, string RunsIn)> Rows()
    {
        var rows = new List<(string Promise, List<string> Tests, string RunsIn)>();
        foreach (Match line in RowLines().Matches(s_document))
        {
            if (line.Groups["promise"].Length > 0)
            {
                rows.Add((line.Groups["promise"].Value, [], line.Groups["where"].Value));
            }

            rows[^1].Tests.AddRange(NamesIn(line.Value));
        }

        return rows;
    }

    // Each judge of Ariya.Chaos says so on itself: [Judges("P01", "P02")].
    private static HashSet<string> JudgedByChaos() =>
    [
        .. from file in Directory.EnumerateFiles(CheckoutFile.PathOf("Ariya.Chaos"), "*.cs")
           from Match judge in Judges().Matches(File.ReadAllText(file))
           from Match promise in Numbers().Matches(judge.Value)
           select promise.Value,
    ];

    // [Fact(Skip = "…")], and theories whose every row is skipped.
    private static bool IsSkipped(MethodInfo test)
    {
        var attributes = test.GetCustomAttributesData();
        var rows = attributes.Where(attribute => typeof(Xunit.Sdk.DataAttribute).IsAssignableFrom(attribute.AttributeType)).ToList();
        return attributes.Any(attribute => typeof(FactAttribute).IsAssignableFrom(attribute.AttributeType) && HasSkip(attribute))
            || (rows.Count > 0 && rows.All(HasSkip));
        static bool HasSkip(CustomAttributeData attribute) => attribute.NamedArguments.Any(argument => argument.MemberName == "Skip");
    }

    // An attribute of our own may skip where something is missing.
    private static bool RunsEverywhere(MethodInfo test) => !IsSkipped(test)
        && test.GetCustomAttributesData().Any(attribute => attribute.AttributeType == typeof(FactAttribute) || attribute.AttributeType == typeof(TheoryAttribute));

    // Tests of an abstract class stand under its own name, however many classes run them.
    private static IEnumerable<MethodInfo> Tests() =>
        from type in typeof(PromiseTests).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
        where method.IsDefined(typeof(FactAttribute), inherit: true)
        select method;

    private static IEnumerable<string> PromisesOf(MethodInfo test) =>
        from trait in test.GetCustomAttributesData().Concat(test.DeclaringType!.GetCustomAttributesData())
        where trait.AttributeType == typeof(TraitAttribute) && trait.ConstructorArguments[0].Value is "Promise"
        select (string)trait.ConstructorArguments[1].Value!;

    private static string NameOf(MethodInfo test) => $"{test.DeclaringType!.Name}.{test.Name}";

    private static IEnumerable<string> NamesIn(string text) => TestNames().Matches(text).Select(name => name.Groups["test"].Value);

    [GeneratedRegex(@"^\| (?:(?<promise>P\d{2}) )?\| .*\| (?:(?<where>[^|]*) )?\|$", RegexOptions.Multiline)]
    private static partial Regex RowLines();

    [GeneratedRegex(@"\[Judges\([^)]*\)\]")]
    private static partial Regex Judges();

    [GeneratedRegex(@"P\d{2}")]
    private static partial Regex Numbers();

    // Ariya.Chaos is a program.
    [GeneratedRegex(@"`(?!Ariya\.)(?<test>[A-Z]\w*\.[A-Z]\w*)`")]
    private static partial Regex TestNames();

    /// <summary>Of tests that do not run; they are none, for nobody finds them in here.</summary>
#pragma warning disable xUnit1000, xUnit1004 // A private class of skipped tests is what the test above has to recognise.
    private static class Examples
    {
        [Fact(Skip = "never")]
        public static void Never() => Assert.Fail();

        [Theory]
        [InlineData(1, Skip = "never")]
        public static void NeverWithAnything(int number) => Assert.Equal(0, number);

        [Degraded.RedisFact]
        public static void Sometimes() => Assert.Fail();

        [Fact]
        public static void Always() => Assert.NotEmpty(s_document);
    }
#pragma warning restore xUnit1000, xUnit1004
}
