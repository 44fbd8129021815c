using System.Net.Sockets;
using System.Text.Json;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public class ProjectResourceOptions
{
    public string? LaunchProfileName { get; set; }

    public bool ExcludeLaunchProfile { get; set; }
}

public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new() => builder.AddProject<TProject>(name, _ => { });

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name, string? launchProfileName)
        where TProject : IProjectMetadata, new() => builder.AddProject<TProject>(name, ProfileOf(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject<TProject>(
        this IDistributedApplicationBuilder builder, string name, Action<ProjectResourceOptions> configure)
        where TProject : IProjectMetadata, new()
    {
        var metadata = new TProject();
        var assembly = DistributedApplicationBuilder.Metadata(typeof(TProject).Assembly, "targetpath:" + metadata.ProjectPath);
        return Add(builder, name, metadata.ProjectPath, assembly, configure);
    }

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath) =>
        builder.AddProject(name, projectPath, _ => { });

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, string? launchProfileName) =>
        builder.AddProject(name, projectPath, ProfileOf(launchProfileName));

    public static IResourceBuilder<ProjectResource> AddProject(
        this IDistributedApplicationBuilder builder, string name, string projectPath, Action<ProjectResourceOptions> configure)
    {
        var path = Path.GetFullPath(projectPath, builder.AppHostDirectory);
        var assembly = DistributedApplicationBuilder.Metadata(builder.AppHostAssembly, "targetpath:" + path);
        return Add(builder, name, path, assembly, configure);
    }

    private static IResourceBuilder<ProjectResource> Add(
        IDistributedApplicationBuilder builder, string name, string projectPath, string? assembly, Action<ProjectResourceOptions> configure)
    {
        if (assembly is null)
        {
            throw new DistributedApplicationException(
                $"'{name}' cannot be started: {projectPath} is not a ProjectReference of the AppHost, so it was not built with it.");
        }

        var options = new ProjectResourceOptions();
        configure(options);
        var project = builder.AddResource(new ProjectResource(name));
        project.WithAnnotation(new ProjectAssemblyAnnotation(projectPath, assembly));
        project.WithEnvironment(context =>
        {
            context.EnvironmentVariables["OTEL_SERVICE_NAME"] = name;
            context.EnvironmentVariables["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={Guid.CreateVersion7():N}";
            context.EnvironmentVariables["LOGGING__CONSOLE__FORMATTERNAME"] = "simple";
        });
        if (!options.ExcludeLaunchProfile)
        {
            ApplyLaunchProfile(project, projectPath, options.LaunchProfileName);
        }

        return project.WithEnvironment(context =>
        {
            var urls = project.Resource.Annotations.OfType<EndpointAnnotation>()
                .Where(e => e.UriScheme is "http" or "https" && e.PortVariable is null)
                .Select(e => new EndpointReference(project.Resource, e.Name).Url).ToList();
            if (urls.Count > 0)
            {
                context.EnvironmentVariables["ASPNETCORE_URLS"] = string.Join(';', urls);
            }
        });
    }

    private static void ApplyLaunchProfile(IResourceBuilder<ProjectResource> project, string projectPath, string? profileName)
    {
        if (LaunchProfile.Read(Path.GetDirectoryName(projectPath)!, profileName) is not { } profile)
        {
            return;
        }

        foreach (var sameScheme in profile.ApplicationUrls.GroupBy(url => url.Scheme))
        {
            foreach (var (url, index) in sameScheme.Select((url, index) => (url, index)))
            {
                project.WithAnnotation(new EndpointAnnotation(
                    ProtocolType.Tcp, url.Scheme, name: index == 0 ? url.Scheme : $"{url.Scheme}{index + 1}", port: url.Port));
            }
        }

        project.WithEnvironment(context =>
        {
            context.EnvironmentVariables.TryAdd("DOTNET_LAUNCH_PROFILE", profile.Name);
            foreach (var (name, value) in profile.Environment)
            {
                context.EnvironmentVariables.TryAdd(name, value);
            }
        });
    }

    private static Action<ProjectResourceOptions> ProfileOf(string? launchProfileName) => options =>
    {
        options.LaunchProfileName = launchProfileName;
        options.ExcludeLaunchProfile = launchProfileName is null;
    };
}

/// <summary>One profile of a project's <c>Properties/launchSettings.json</c>.</summary>
internal sealed record LaunchProfile(string Name, IReadOnlyList<Uri> ApplicationUrls, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>The named profile, or the first one that starts the project.</summary>
    public static LaunchProfile? Read(string projectDirectory, string? name = null)
    {
        var path = Path.Combine(projectDirectory, "Properties", "launchSettings.json");
        if (!File.Exists(path))
        {
            return null;
        }

        using var settings = JsonDocument.Parse(
            File.ReadAllText(path), new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        var profiles = settings.RootElement.GetProperty("profiles").EnumerateObject()
            .Where(p => p.Value.TryGetProperty("commandName", out var command) && command.GetString() == "Project");
        foreach (var profile in profiles.Where(p => name is null || p.Name == name))
        {
            var urls = profile.Value.TryGetProperty("applicationUrl", out var url) ? url.GetString()! : "";
            var environment = profile.Value.TryGetProperty("environmentVariables", out var variables)
                ? variables.EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!)
                : [];
            return new LaunchProfile(
                profile.Name, [.. urls.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(u => new Uri(u))], environment);
        }

        return name is null ? null : throw new DistributedApplicationException($"{path} has no profile '{name}'.");
    }
}
