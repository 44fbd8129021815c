using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace Ariya.Data;

/// <summary>Lets <c>dotnet ef</c> write migrations without a server; found by its interface.</summary>
internal sealed class DesignTimeDbContextFactory : IDesignTimeDbContextFactory<AriyaDbContext>
{
    public AriyaDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql("Host=localhost").Options);
}
