using Ariya.ServiceDefaults.Settings;

namespace Ariya.Tests.ServiceDefaults;

public sealed class EnvFileTests
{
    [Theory]
    [InlineData("KEY=value", "value")]
    [InlineData("  export KEY = value  ", "value")]
    [InlineData("KEY=", "")]
    [InlineData("KEY=# nothing", "")]
    [InlineData("KEY=value # comment", "value")]
    [InlineData("KEY=p#w", "p#w")]
    [InlineData("KEY=a=b==", "a=b==")]
    [InlineData("KEY=\"two words # no comment\" # comment", "two words # no comment")]
    [InlineData("KEY=\"line\\nbreak \\\"quoted\\\" back\\\\slash \\d\"", "line\nbreak \"quoted\" back\\slash \\d")]
    [InlineData("KEY='as $is \\n'", "as $is \\n")]
    [InlineData("KEY=it's", "it's")]
    public void ALineIsRead(string line, string expected)
    {
        Assert.Equal(expected, EnvFile.Parse([line], Assert.Fail)["KEY"]);
    }

    [Fact]
    public void CommentsAndEmptyLinesAreSkippedAndTheLastValueCounts()
    {
        var values = EnvFile.Parse(["# A=1", "", "   ", "B=2", "B=3"], Assert.Fail);

        Assert.Equal([new("B", "3")], values);
    }

    [Theory]
    [InlineData("hunter2")]
    [InlineData("1KEY=hunter2")]
    [InlineData("KEY=\"hunter2")]
    [InlineData("KEY='hunter2' tail")]
    public void ABadLineIsNamedByItsNumberOnly(string line)
    {
        var faults = new List<string>();
        var values = EnvFile.Parse(["A=1", line, "B=2"], faults.Add);

        Assert.Equal([new("A", "1"), new("B", "2")], values);
        var fault = Assert.Single(faults);
        Assert.Contains("line 2", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", fault, StringComparison.Ordinal);
    }
}
