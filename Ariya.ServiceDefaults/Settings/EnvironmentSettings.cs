using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.EnvironmentVariables;
using Microsoft.Extensions.Configuration.Memory;

namespace Microsoft.Extensions.Hosting;

/// <summary>The settings by environment variable: DATABASE_URL, REDIS_URL, APP_URL, NODE_ENV, NAME_FILE, and the .env file.</summary>
public static class EnvironmentSettings
{
    private const string Database = "ConnectionStrings:ariyadb";
    private const string Cache = "ConnectionStrings:cache";

    private static readonly string[] s_secrets =
    [
        "DATABASE_URL", "REDIS_URL", "SMTP_PASSWORD", "JWT_SECRET", "JWT_SECRET_PREVIOUS",
        "JWT_REFRESH_SECRET", "JWT_REFRESH_SECRET_PREVIOUS", Database, Cache,
    ];

    /// <summary>
    /// Takes NODE_ENV as the environment when neither ASPNETCORE_ENVIRONMENT nor DOTNET_ENVIRONMENT is set.
    /// Builders read the environment when they are made, so this comes first.
    /// </summary>
    public static void UseNodeEnvironment()
    {
        if (NodeEnvironment(Environment.GetEnvironmentVariable) is { } name)
        {
            Environment.SetEnvironmentVariable("DOTNET_ENVIRONMENT", name);
        }
    }

    /// <summary>
    /// Reads the settings into the configuration; goes before the clients. A ConnectionStrings entry wins over a URL. What cannot be read is noted in
    /// <see cref="StartSettings"/>.
    /// </summary>
    public static TBuilder AddEnvironmentSettings<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        var configuration = builder.Configuration;
        if (builder.Environment.IsDevelopment() && EnvFile.Find(builder.Environment.ContentRootPath) is { } path)
        {
            AddEnvFile(configuration, EnvFile.Parse(File.ReadLines(path), builder.AddWrongSetting));
        }

        configuration.AddInMemoryCollection(SecretFiles.Read(configuration, s_secrets, builder.AddWrongSetting));
        configuration.AddInMemoryCollection(Derive(builder, configuration));
        return builder;
    }

    internal static string? NodeEnvironment(Func<string, string?> variable)
    {
        if (!string.IsNullOrEmpty(variable("ASPNETCORE_ENVIRONMENT")) || !string.IsNullOrEmpty(variable("DOTNET_ENVIRONMENT")))
        {
            return null;
        }

        var name = variable("NODE_ENV")?.Trim();
        return string.IsNullOrEmpty(name) ? null : char.ToUpperInvariant(name[0]) + name[1..].ToLowerInvariant();
    }

    private static void AddEnvFile(IConfigurationManager configuration, Dictionary<string, string?> file)
    {
        // NAME in one place and NAME_FILE in the other are the same setting: the real environment wins there too.
        var values = file
            .Where(entry => Environment.GetEnvironmentVariable(OtherForm(entry.Key)) is null)
            .ToDictionary(entry => entry.Key.Replace("__", ":", StringComparison.Ordinal), entry => entry.Value);

        // Over the settings files, under the environment and the command line.
        var sources = configuration.Sources;
        var environment = sources.OfType<EnvironmentVariablesConfigurationSource>()
            .LastOrDefault(source => string.IsNullOrEmpty(source.Prefix));
        var index = environment is null ? sources.Count : sources.IndexOf(environment);
        sources.Insert(index, new MemoryConfigurationSource { InitialData = values });
    }

    private static string OtherForm(string name) =>
        name.EndsWith(SecretFiles.Suffix, StringComparison.Ordinal) ? name[..^SecretFiles.Suffix.Length] : name + SecretFiles.Suffix;

    private static Dictionary<string, string?> Derive(IHostApplicationBuilder builder, IConfiguration configuration)
    {
        var derived = new Dictionary<string, string?>();
        if (string.IsNullOrWhiteSpace(configuration["APP_URL"]) && configuration["NEXTAUTH_URL"] is { Length: > 0 } appUrl)
        {
            derived["APP_URL"] = appUrl;
        }

        if (string.IsNullOrWhiteSpace(configuration[Database]) && configuration["DATABASE_URL"] is { Length: > 0 } databaseUrl)
        {
            derived[Database] = builder.ReadSetting(() => DatabaseUrl.ToConnectionString(databaseUrl));
        }

        if (string.IsNullOrWhiteSpace(configuration[Cache]) && configuration["REDIS_URL"] is { Length: > 0 } redisUrl)
        {
            derived[Cache] = builder.ReadSetting(() => RedisUrl.ToConnectionString(redisUrl));
        }

        return derived;
    }
}
