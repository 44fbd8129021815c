using Ariya.Data;

namespace Ariya.Tests.Units;

public sealed class DataProjectTests
{
    [Fact]
    public void DataKnowsNeitherTheWebNorMail()
    {
        var references = typeof(AriyaDbContext).Assembly.GetReferencedAssemblies().Select(assembly => assembly.Name!).ToList();
        Assert.Contains("Npgsql", references);
        Assert.DoesNotContain(references, name =>
            name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) || name is "MailKit" or "MimeKit" or "System.Net.Mail");
    }
}
