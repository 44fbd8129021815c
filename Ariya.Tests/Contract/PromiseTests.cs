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

    [Fact]
    public void TheRowsAndTheTraitsAgree()
    {
        var documented = Rows().SelectMany(row => row.Tests.Select(test => $"{row.Promise} {test}")).ToHashSet();
        var tagged = Tests().SelectMany(test => PromisesOf(test).Select(promise => $"{promise} {NameOf(test)}")).ToHashSet();
        Assert.Empty(documented.Except(tagged).Select(pair => $"{pair} has no trait"));
        Assert.Empty(tagged.Except(documented).Select(pair => $"{pair} is not in its row"));
    }

    // A row without a number goes on with the tests of the one above it.
    private static List<(string Promise, List<string> Tests)> Rows()
    {
        var rows = new List<(string Promise, List<string> Tests)>();
        foreach (Match line in RowLines().Matches(s_document))
        {
            if (line.Groups["promise"].Length > 0)
            {
                rows.Add((line.Groups["promise"].Value, []));
            }

            rows[^1].Tests.AddRange(NamesIn(line.Value));
        }

        return rows;
    }

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

    [GeneratedRegex(@"^\| (?:(?<promise>P\d{2}) )?\| .*\|$", RegexOptions.Multiline)]
    private static partial Regex RowLines();

    // Ariya.Chaos is a program.
    [GeneratedRegex(@"`(?!Ariya\.)(?<test>[A-Z]\w*\.[A-Z]\w*)`")]
    private static partial Regex TestNames();
}
