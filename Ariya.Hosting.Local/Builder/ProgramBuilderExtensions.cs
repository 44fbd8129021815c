using System.Net.Sockets;
using System.Text.Json;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static class ContainerResourceBuilderExtensions
{
    public static IResourceBuilder<ContainerResource> AddContainer(
        this IDistributedApplicationBuilder builder, string name, string image, string tag = "latest") =>
        builder.AddResource(new ContainerResource(name)).WithImage(image, tag);

    public static IResourceBuilder<T> WithImage<T>(this IResourceBuilder<T> builder, string image, string? tag = null)
        where T : ContainerResource =>
        builder.WithAnnotation(
            new ContainerImageAnnotation { Image = image, Tag = tag ?? "latest" }, ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<T> WithImageTag<T>(this IResourceBuilder<T> builder, string tag) where T : ContainerResource
    {
        ImageOf(builder).Tag = tag;
        return builder;
    }

    public static IResourceBuilder<T> WithImageRegistry<T>(this IResourceBuilder<T> builder, string? registry) where T : ContainerResource
    {
        ImageOf(builder).Registry = registry;
        return builder;
    }

    public static IResourceBuilder<T> WithVolume<T>(
        this IResourceBuilder<T> builder, string? name, string target, bool isReadOnly = false) where T : ContainerResource =>
        builder.WithAnnotation(new VolumeAnnotation(name, target, isReadOnly));

    private static ContainerImageAnnotation ImageOf<T>(IResourceBuilder<T> builder) where T : ContainerResource =>
        builder.Resource.Last<ContainerImageAnnotation>()
        ?? throw new InvalidOperationException($"'{builder.Resource.Name}' has no image: call WithImage first.");
}

public static class ExecutableResourceBuilderExtensions
{
    public static IResourceBuilder<ExecutableResource> AddExecutable(
        this IDistributedApplicationBuilder builder, string name, string command, string workingDirectory, params string[]? args)
    {
        var directory = Path.GetFullPath(workingDirectory, builder.AppHostDirectory);
        return builder.AddResource(new ExecutableResource(name, command, directory)).WithArgs(args ?? []);
    }
}

public static class ProjectResourceBuilderExtensions
{
    public static IResourceBuilder<ProjectResource> AddProject<TProject>(this IDistributedApplicationBuilder builder, string name)
        where TProject : IProjectMetadata, new()
    {
        var path = new TProject().ProjectPath;
        var assembly = DistributedApplicationBuilder.Metadata(typeof(TProject).Assembly, "targetpath:" + path)
            ?? throw new DistributedApplicationException(
                $"'{name}' cannot be started: {path} is not a ProjectReference of the AppHost, so it was not built with it.");
        var project = builder.AddResource(new ProjectResource(name))
            .WithAnnotation(new ProjectAssemblyAnnotation(path, assembly))
            .WithEnvironment("OTEL_SERVICE_NAME", name)
            .WithEnvironment("OTEL_RESOURCE_ATTRIBUTES", () => $"service.instance.id={Guid.CreateVersion7():N}")
            .WithEnvironment("LOGGING__CONSOLE__FORMATTERNAME", "simple");
        if (LaunchProfile.Read(Path.GetDirectoryName(path)!) is { } profile)
        {
            Apply(profile, project);
        }

        return project.WithEnvironment(context =>
        {
            var urls = project.Resource.All<EndpointAnnotation>().Where(e => e.IsHttp && e.PortVariable is null)
                .Select(e => new EndpointReference(project.Resource, e.Name).Url).ToList();
            if (urls.Count > 0)
            {
                context.EnvironmentVariables["ASPNETCORE_URLS"] = string.Join(';', urls);
            }
        });
    }

    private static void Apply(LaunchProfile profile, IResourceBuilder<ProjectResource> project)
    {
        foreach (var sameScheme in profile.ApplicationUrls.GroupBy(url => url.Scheme))
        {
            foreach (var (index, url) in sameScheme.Index())
            {
                project.WithAnnotation(new EndpointAnnotation(
                    ProtocolType.Tcp, url.Scheme, name: index == 0 ? url.Scheme : $"{url.Scheme}{index + 1}", port: url.Port));
            }
        }

        project.WithEnvironment("DOTNET_LAUNCH_PROFILE", profile.Name).WithEnvironment(context =>
        {
            foreach (var (name, value) in profile.Environment)
            {
                context.EnvironmentVariables.TryAdd(name, value);
            }
        });
    }
}

/// <summary>The first profile of a project's <c>Properties/launchSettings.json</c> that starts the project.</summary>
internal sealed record LaunchProfile(string Name, IReadOnlyList<Uri> ApplicationUrls, IReadOnlyDictionary<string, string> Environment)
{
    private static readonly JsonDocumentOptions s_options =
        new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    public static LaunchProfile? Read(string projectDirectory)
    {
        var path = Path.Combine(projectDirectory, "Properties", "launchSettings.json");
        if (!File.Exists(path))
        {
            return null;
        }

        using var settings = JsonDocument.Parse(File.ReadAllText(path), s_options);
        foreach (var profile in settings.RootElement.GetProperty("profiles").EnumerateObject())
        {
            if (!profile.Value.TryGetProperty("commandName", out var command) || command.GetString() != "Project")
            {
                continue;
            }

            var urls = profile.Value.TryGetProperty("applicationUrl", out var url) ? url.GetString()! : "";
            var environment = profile.Value.TryGetProperty("environmentVariables", out var variables)
                ? variables.EnumerateObject().ToDictionary(v => v.Name, v => v.Value.GetString()!)
                : [];
            return new LaunchProfile(
                profile.Name, [.. urls.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(u => new Uri(u))], environment);
        }

        return null;
    }
}
